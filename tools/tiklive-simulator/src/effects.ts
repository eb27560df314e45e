import type { Endpoint } from '@weir/upstream-catalog';
import { json, refusal, type Answer } from './answer';
import type { Effect } from './faults';

const PLAIN: Readonly<Record<'401' | '402' | '403' | '500' | '502' | '504', string>> = {
  401: 'Invalid API key',
  402: 'Insufficient credits',
  403: 'Forbidden',
  500: 'Internal server error',
  502: 'Bad gateway',
  504: 'Gateway timeout',
};

const HTML = '<!DOCTYPE html><html><head><title>Just a moment...</title></head><body><h1>Checking your browser</h1></body></html>\n';

/**
 * The answer that a fault gives instead of, or makes of, the one that would have been.
 *
 * @param sound what the caller would have got; only faults that spoil an answer ask for it
 */
export function spoil(effect: Effect, endpoint: Endpoint | undefined, sound: () => Answer, nowMs: number): Answer {
  switch (effect.kind) {
    case '402-body':
      return json(200, { error: effect.message });
    case '429':
      return refusal(429, 'Too many requests', retryAfterHeader(effect.retryAfter, nowMs));
    case '503':
      return refusal(503, 'Service unavailable', retryAfterHeader(effect.retryAfter, nowMs));
    case 'cut':
      return { ...sound(), arrives: effect.at === 'in-body' ? 'cut-in-body' : 'cut-before-headers' };
    case 'gzip-bomb':
      return { ...json(200, {}, { 'content-encoding': 'gzip' }), arrives: { bombBytes: effect.bytes } };
    case 'html':
      return { status: 200, headers: { 'content-type': 'text/html; charset=utf-8' }, body: HTML, arrives: 'whole' };
    case 'bad-json': {
      const answer = sound();
      return { ...answer, body: answer.body.slice(0, Math.ceil(answer.body.length * 0.6)) };
    }
    case 'bad-utf8': {
      const answer = sound();
      // two bytes that no UTF-8 text holds, inside a string that a lenient parser would take
      return { ...answer, body: Buffer.concat([Buffer.from('{"note":"'), Buffer.from([0xc3, 0x28]), Buffer.from('",'), Buffer.from(answer.body.slice(1))]) };
    }
    case 'proto': {
      const answer = sound();
      return { ...answer, body: `{"__proto__":{"isAdmin":true,"polluted":true},${String(answer.body).slice(1)}` };
    }
    case 'shape-drift': {
      const answer = sound();
      const path = effect.field ?? endpoint?.shape[0]?.path ?? 'credits';
      return { ...answer, body: JSON.stringify(renamed(JSON.parse(String(answer.body)), path.split('.'))) };
    }
    default:
      return refusal(Number(effect.kind), PLAIN[effect.kind]);
  }
}

/** Whether a fault's answer is charged where the fault itself does not say: what bears a result is, what refuses is not. */
export function chargedByItself(effect: Effect): boolean {
  if (effect.kind === 'cut') return effect.at === 'in-body';
  return ['gzip-bomb', 'bad-json', 'bad-utf8', 'html', 'shape-drift', 'proto'].includes(effect.kind);
}

function retryAfterHeader(value: number | string | { dateInSeconds: number } | null, nowMs: number): Record<string, string> {
  if (value === null) return {};
  if (typeof value === 'object') return { 'retry-after': new Date(nowMs + value.dateInSeconds * 1_000).toUTCString() };
  return { 'retry-after': String(value) };
}

/** The member at `path` under another name, as after a careless release: `followerCount` becomes `followerCount_v2`. */
function renamed(value: unknown, [step, ...rest]: readonly string[]): unknown {
  if (Array.isArray(value)) return value.map((item) => renamed(item, step === undefined ? [] : [step, ...rest]));
  if (step === undefined || typeof value !== 'object' || value === null) return value;
  const name = step.replace(/\[\]$/, '');
  return Object.fromEntries(
    Object.entries(value).map(([member, inner]) => {
      if (member !== name) return [member, inner];
      return rest.length === 0 ? [`${member}_v2`, inner] : [member, renamed(inner, rest)];
    }),
  );
}
