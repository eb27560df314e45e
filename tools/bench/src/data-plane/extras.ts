import type { Gate, Ground, Side } from '../bench';
import type { Nginx } from './nginx';

export interface ExtrasSurroundings {
  readonly ground: Ground;
  readonly upstream: Nginx;
  readonly tokens: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly tenants: number;
}

export interface Extras {
  readonly sides: readonly Side[];
  readonly gates: readonly Gate[];
  close(): Promise<void>;
}

export async function extras(_: ExtrasSurroundings): Promise<Extras> {
  return { sides: [], gates: [], close: async () => undefined };
}
