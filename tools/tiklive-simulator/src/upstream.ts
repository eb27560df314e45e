import type { IncomingMessage, ServerResponse } from 'node:http';
import { checkParameters, creditsFor, findEndpoint, tiklive, type Endpoint } from '@weir/upstream-catalog';
import { json, refusal, type Answer } from './answer';
import { badCursor, bodies } from './bodies/bodies';
import { chargedByItself, spoil } from './effects';
import type { Effect, Faults } from './faults';
import type { Key } from './keys';
import { sampleLatencyMs, type LatencySettings } from './latency';
import { send } from './send';
import type { State } from './state';

/** What `/balance/` says of a key without end. */
const ENDLESS = 1_000_000_000;
const BALANCE = 'balance';

interface Call {
  readonly endpoint: Endpoint | undefined;
  readonly endpointId: string;
  readonly query: URLSearchParams;
  readonly keyText: string;
  readonly requestId: string | null;
  readonly attempt: number | null;
}

/**
 * The API itself. A call is refused at the door (401, 429) at once; what passes takes the latency, and is judged, charged, written
 * down and answered after it, in that order. A caller that has gone meanwhile is charged as if it had waited: the work was done.
 */
export class Upstream {
  constructor(
    private readonly state: State,
    private readonly faults: Faults,
    private readonly latency: LatencySettings,
    private readonly running: AbortSignal,
  ) {}

  handle(request: IncomingMessage, response: ServerResponse): void {
    const call = readCall(request);
    if (call === undefined) return send(response, refusal(404, 'Not found'));
    if (request.method !== 'GET') return send(response, refusal(405, 'Method not allowed', { allow: 'GET' }));

    const key = this.state.keys.find(call.keyText);
    if (key === undefined || key.suspended) return this.finish(call, refusal(401, 'Invalid API key'), 0, response);
    const waitMs = this.state.keys.takeFromRate(key);
    if (waitMs > 0) return this.finish(call, refusal(429, 'Too many requests', { 'retry-after': String(Math.ceil(waitMs / 1_000)) }), 0, response);

    const { slowMs, effect } = this.faults.strike(call.keyText, call.endpointId);
    const delayMs = sampleLatencyMs(this.latency) + slowMs;
    if (delayMs === 0) return this.conclude(call, effect, response);
    const timer = setTimeout(() => this.running.aborted || this.conclude(call, effect, response), delayMs);
    timer.unref();
  }

  private conclude(call: Call, effect: Effect | undefined, response: ServerResponse): void {
    // looked up again: what was left may be gone, and the key with it
    const key = this.state.keys.find(call.keyText);
    if (key === undefined) return this.finish(call, refusal(401, 'Invalid API key'), 0, response);
    const nowMs = Date.now();
    const sound = () => judge(call, key, nowMs);
    const answer = effect === undefined ? sound() : spoil(effect, call.endpoint, sound, nowMs);
    this.finish(call, answer, this.state.keys.charge(key, price(call, answer, effect)), response);
  }

  private finish(call: Call, answer: Answer, credits: number, response: ServerResponse): void {
    this.state.ledger.record({
      key: call.keyText,
      endpoint: call.endpointId,
      credits,
      status: answer.arrives === 'cut-before-headers' ? 0 : answer.status,
      requestId: call.requestId,
      attempt: call.attempt,
      at: new Date().toISOString(),
    });
    const written = this.state.journal.written;
    if (written === undefined) return send(response, answer);
    written.then(
      () => send(response, answer),
      () => send(response, refusal(500, 'The simulator cannot write its state file')),
    );
  }
}

function readCall(request: IncomingMessage): Call | undefined {
  const url = request.url ?? '/';
  const mark = url.indexOf('?');
  const path = mark === -1 ? url : url.slice(0, mark);
  const endpoint = findEndpoint(tiklive, path);
  if (endpoint === undefined && path !== tiklive.balance.path && `${path}/` !== tiklive.balance.path) return undefined;

  const keyText = header(request, tiklive.auth.header.toLowerCase()).slice(0, 200);
  const [, requestId, attempt] = /^(.*)\/(\d{1,9})$/.exec(header(request, 'x-request-id')) ?? [];
  return {
    endpoint,
    endpointId: endpoint?.id ?? BALANCE,
    query: new URLSearchParams(mark === -1 ? '' : url.slice(mark + 1)),
    keyText,
    requestId: (requestId ?? header(request, 'x-request-id')).slice(0, 200) || null,
    attempt: attempt === undefined ? null : Number(attempt),
  };
}

const header = (request: IncomingMessage, name: string): string => {
  const value = request.headers[name];
  return typeof value === 'string' ? value : '';
};

/** What a healthy upstream answers. */
function judge({ endpoint, query }: Call, key: Key, nowMs: number): Answer {
  if (endpoint === undefined) return json(200, { credits: key.credits ?? ENDLESS });

  const checked = checkParameters(endpoint, query);
  if (!checked.ok) return refusal(400, `${checked.parameter} ${checked.problem}`);
  if (badCursor(checked.values)) return refusal(400, 'cursor was not given by this API');
  if (key.credits !== null && key.credits < endpoint.credits) return refusal(402, 'Insufficient credits');
  if (endpoint.needsScope !== undefined && !key.scopes.includes(endpoint.needsScope)) return refusal(403, 'This key has no download access');

  const body = bodies[endpoint.id]?.({ values: checked.values, mayDownload: key.scopes.includes('download'), nowMs });
  if (body === undefined) return refusal(404, 'Not found');
  return 'missing' in body ? refusal(404, body.missing) : json(200, body.found);
}

/** In credits, before a look at the balance. The balance itself is free to ask for. */
function price({ endpoint }: Call, answer: Answer, effect: Effect | undefined): number {
  if (endpoint === undefined) return 0;
  if (effect?.charged !== undefined) return effect.charged ? endpoint.credits : 0;
  if (effect !== undefined && !chargedByItself(effect)) return 0;
  return creditsFor(endpoint, answer.status);
}
