#!/usr/bin/env bash
# curl alone: a mutation that is sent until it is answered, and a stream of server-sent events that is opened until it ends.
set -euo pipefail

url=${KINEOGRAPH_URL:-http://127.0.0.1:4000}/graphql
prompt=${1:-slow push-in, snow falling}
headers=(-H 'content-type: application/json')
if [[ -n ${KINEOGRAPH_TOKEN:-} ]]; then headers+=(-H "authorization: Bearer $KINEOGRAPH_TOKEN"); fi

# post BODY [OPTION…]: tries again when there is no gateway behind a proxy; what the gateway itself refuses ends with 22.
post() { curl -sSf --retry 100 --retry-delay 1 "${headers[@]}" "${@:2}" -d "$1" "$url"; }
quoted() { printf '"%s"' "$(sed 's/[\\"]/\\&/g' <<<"$1")"; }

# Made up once: however often the mutation is sent, it is one task, and paid for once.
key=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
create='mutation ($input: CreateImageToVideoInput!) { createImageToVideo(input: $input) {
  ... on CreateImageToVideoSuccess { task { id } } ... on UserError { message } } }'
input="{ \"prompt\": $(quoted "$prompt"), \"imageUrl\": \"https://example.com/first.png\", \"idempotencyKey\": \"$key\" }"
body="{ \"query\": \"${create//$'\n'/ }\", \"variables\": { \"input\": $input } }"
until answer=$(post "$body"); do
  (($? != 22)) || exit 1
  sleep 1
done
[[ $answer =~ \"id\":\"([^\"]+)\" ]] || { echo "$answer" >&2; exit 1; }
id=${BASH_REMATCH[1]}

# The first event is the task as it is by then, so that nothing has to be remembered.
watch="{ \"query\": \"subscription { taskUpdated(id: \\\"$id\\\") { state videos { url } failure { message } } }\" }"
outcome=
until [[ -n $outcome ]]; do
  while read -r line; do
    if [[ $line =~ \"errors\"|\"failure\":\{ ]]; then
      echo "$line" >&2
      outcome=1
    elif [[ $line =~ \"url\":\"([^\"]+)\" ]]; then
      echo "SUCCESS ${BASH_REMATCH[1]}"
      outcome=0
    elif [[ $line =~ \"state\":\"([A-Z]+)\" ]]; then
      echo "${BASH_REMATCH[1]}"
    fi
  done < <(post "$watch" -N -H 'accept: text/event-stream')
  wait $! || (($? != 22)) || outcome=1
  [[ -n $outcome ]] || sleep 1
done
exit "$outcome"
