/** A statement that waits until somebody's statement waits for another one's transaction, and then runs these. */
export function onceSomebodyWaits(statements = ''): string {
  return `
    do $$ begin
      while not exists (
        select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
      ) loop
        perform pg_sleep(0.01), pg_stat_clear_snapshot();
      end loop;
      ${statements}
    end $$`;
}
