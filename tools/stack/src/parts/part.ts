import type { Progress } from '../install/cache';
import type { Ledger } from '../process/ledger';

export type Environment = Readonly<Record<string, string | undefined>>;

/** What a part is started with. */
export interface PartContext {
  readonly dataDir: string;
  readonly cache: string;
  readonly environment: Environment;
  /** Flush to the disk: for what people use, not for what a test throws away. */
  readonly durable: boolean;
  readonly ledger: Ledger;
  readonly progress: Progress;
}

/** A server that a full run needs, where it is and how to stop it. Without a pid: somebody else's, given by the environment. */
export type Running<Address> = Address & { readonly pid: number | undefined; stop(): Promise<void> };

export const given = <Address extends object>(address: Address): Running<Address> => ({ ...address, pid: undefined, stop: async () => undefined });
