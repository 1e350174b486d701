/** How the completion of a task is told: as documented, or misbehaving on request. */
export type CallbackManner = 'once' | 'never' | 'twice' | 'unsigned';

/** What a prompt asks the sandbox to do with its task. */
export interface Directives {
  /** createTask answers this envelope code and creates nothing. */
  readonly rejectCode: number | null;
  /** The task ends as `fail` with this failCode. */
  readonly failCode: number | null;
  readonly callback: CallbackManner;
  /** The task is accepted, then the connection is cut before the answer. */
  readonly dropAnswer: boolean;
  /** How long the task takes; null: as long as any other. */
  readonly durationMs: number | null;
}

const KNOWN =
  'Known are [sandbox: reject=402], [sandbox: fail=501] (any code of three or four digits but 200), ' +
  '[sandbox: callback=never|twice|unsigned], [sandbox: answer=drop] and [sandbox: duration=30s] ' +
  '(ms, s or m, at most 24 h); several are allowed, each in its own brackets and once.';

const NONE: Directives = {
  rejectCode: null,
  failCode: null,
  callback: 'once',
  dropAnswer: false,
  durationMs: null,
};

const MAX_DURATION_MS = 24 * 3_600_000;
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000 };

function codeOf(value: string): number | null {
  return /^[1-9]\d{2,3}$/.test(value) && value !== '200' ? Number(value) : null;
}

function durationOf(value: string): number | null {
  const [, amount, unit = ''] = /^(\d+)(ms|s|m)$/.exec(value) ?? [];
  const durationMs = Number(amount) * (UNIT_MS[unit] ?? NaN);
  return durationMs <= MAX_DURATION_MS ? durationMs : null;
}

/** What one directive changes, or null when its name or value means nothing. */
function effectOf(name: string, value: string): Partial<Directives> | null {
  const code = codeOf(value);
  const durationMs = durationOf(value);
  if (name === 'reject' && code !== null) return { rejectCode: code };
  if (name === 'fail' && code !== null) return { failCode: code };
  if (name === 'duration' && durationMs !== null) return { durationMs };
  if (name === 'answer' && value === 'drop') return { dropAnswer: true };
  if (name === 'callback' && (value === 'never' || value === 'twice' || value === 'unsigned')) {
    return { callback: value };
  }
  return null;
}

/**
 * Reads every `[sandbox: name=value]` of a prompt. Whatever begins like one and is not understood is a
 * problem, never ignored, so that a typing error does not pass for a working test.
 */
export function parseDirectives(prompt: string): Directives | { readonly problem: string } {
  let directives = NONE;
  const seen = new Set<string>();
  for (const [text, body = ''] of prompt.matchAll(/\[\s*sandbox\b([^\]]*)\]?/gi)) {
    const [, name = '', value = ''] = /^\s*:\s*([a-z]+)\s*=\s*(\w+)\s*$/i.exec(body) ?? [];
    const effect = text.endsWith(']') ? effectOf(name.toLowerCase(), value.toLowerCase()) : null;
    if (effect === null || seen.has(name.toLowerCase())) {
      return { problem: `input.prompt: ${text} is not understood. ${KNOWN}` };
    }
    seen.add(name.toLowerCase());
    directives = { ...directives, ...effect };
  }
  return directives;
}
