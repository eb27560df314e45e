/** What happened: a published contract by its type and version, its data free of secrets and of persons. */
export interface Fact<T extends string = string, D = unknown> {
  readonly type: T;
  readonly data: D;
}

export const fact = <T extends string, D>(type: T, data: D): Fact<T, D> => ({ type, data });

/** A decision is pure: the state so far in, the events that follow out; none means 'done already'. */
export type Decide<S, E> = (state: S) => readonly E[];

export interface Aggregate<S, E> {
  readonly initial: S;
  readonly evolve: (state: S, event: E) => S;
  /** For streams that grow long; without it each is read from its first event. */
  readonly snapshots?: Snapshots<S>;
}

/** States kept beside a log, so that reading begins after them: a cache, and never the truth. A state is plain JSON then. */
export interface Snapshots<S> {
  /** `<name>/<version>`; another one whenever `evolve` or the shape of the state is: what another reducer left is not read. */
  readonly reducer: string;
  /** Events of a stream from one to the next. */
  readonly every: number;
  /** Of what was kept. What it throws at is not used. */
  readonly parse: (kept: unknown) => S;
}

export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}

/** Who did it. `session_user` of the database session, the author, is written beside it by the database itself. */
export interface Actor {
  readonly type: 'operator' | 'token' | 'service';
  readonly id: string;
}

/** Why and in what chain of causes a command was given; goes into the envelope of each of its events. */
export interface CommandContext {
  readonly actor: Actor;
  /** The same for every retry of one command: the log returns the first result for it. */
  readonly commandId: string;
  /** ms; the same for every retry, since ids made of it must be. */
  readonly at: number;
  readonly action: string;
  readonly reason?: string | undefined;
  readonly requestId?: string | undefined;
  readonly causationId?: string | undefined;
  readonly correlationId?: string | undefined;
}
