import type { EventContract } from '@weir/contracts';

/** Contracts by type of event. */
export type Contracts = ReadonlyMap<string, EventContract>;

export function contractOf(type: string, contracts: Contracts): EventContract {
  const contract = contracts.get(type);
  if (contract === undefined) throw new TypeError(`no contract for the event ${type}: add it to libs/contracts`);
  return contract;
}
