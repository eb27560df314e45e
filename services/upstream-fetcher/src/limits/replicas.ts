import type { StateTable } from '@weir/access';
import type { Bus } from '@weir/bus';
import { PRESENCE_TOPIC, type Presence } from '@weir/contracts';
import { within, type Clock } from '@weir/kernel';

const BEAT_MS = 5_000;
/** Beats that may be missing before a process counts as gone, and before its record is taken away. */
const GONE_AFTER_MS = 3 * BEAT_MS;
const LAST_WORD_MS = 1_000;
const FORGOTTEN_AFTER_MS = 60 * BEAT_MS;

export interface ReplicasOptions {
  readonly bus: Bus;
  readonly heartbeats: StateTable<Presence>;
  readonly instanceId: string;
  readonly service: string;
  /** At least so many there are, heard of or not. */
  readonly atLeast: number;
  readonly clock: Clock;
  readonly onError: (error: unknown) => void;
}

/**
 * How many processes decide on limits beside this one. A process counts as gone when its heartbeats stay away while our own come back:
 * a bus that is away makes nobody's share larger.
 */
export class Replicas {
  /** When each was last heard of here, by this process's clock: those of others may be wrong. */
  private readonly heard = new Map<string, number>();
  private timer: NodeJS.Timeout | undefined;
  private version = 0;

  constructor(private readonly options: ReplicasOptions) {
    options.heartbeats.onChange((id, beat) => {
      if (beat === undefined) this.heard.delete(id);
      else this.heard.set(id, options.clock());
    });
  }

  get count(): number {
    const { instanceId, atLeast } = this.options;
    const own = this.heard.get(instanceId) ?? 0;
    let others = 0;
    for (const [id, at] of this.heard) if (id !== instanceId && own - at <= GONE_AFTER_MS) others++;
    return Math.max(others + 1, atLeast);
  }

  start(): void {
    void this.beat();
    this.timer = setInterval(() => void this.beat(), BEAT_MS).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    // a bus that is away does not hear it, and the others miss the heartbeats
    await within(LAST_WORD_MS, this.publish([[this.options.instanceId, null]])).catch(() => undefined);
  }

  /** Says that this process is there, and takes away the records of those that are long gone. */
  async beat(): Promise<void> {
    const { instanceId, service, clock } = this.options;
    const own = this.heard.get(instanceId) ?? 0;
    const dead = [...this.heard].filter(([, at]) => own - at > FORGOTTEN_AFTER_MS);
    await this.publish([[instanceId, { instanceId, service, at: clock() }], ...dead.map(([id]): [string, null] => [id, null])]);
  }

  private async publish(beats: readonly (readonly [string, Presence | null])[]): Promise<void> {
    // the last word may come within a millisecond of the one before
    this.version = Math.max(this.version + 1, this.options.clock());
    const headers = { 'content-type': 'application/json', 'weir-version': String(this.version) };
    await this.options.bus
      .publish(
        beats.map(([key, beat]) => ({
          topic: PRESENCE_TOPIC,
          key,
          value: beat === null ? null : Buffer.from(JSON.stringify(beat)),
          headers,
        })),
      )
      .catch(this.options.onError);
  }
}
