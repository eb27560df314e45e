import { consuming } from './consuming';
import { following } from './following';
import { parking } from './parking';
import { publishing } from './publishing';
import { rebalancing } from './rebalancing';
import { Rig, type BusServers } from './rig';

/** What every bus guarantees. Each test has a bus of its own, and topics and groups of fresh names, on the same servers. */
export function busConformance(servers: () => BusServers): void {
  let rig: Rig;
  beforeEach(() => {
    rig = new Rig(servers());
  });
  afterEach(() => rig.close());

  describe('publishing', () => publishing(() => rig));
  describe('consuming', () => consuming(() => rig));
  describe('groups', () => rebalancing(() => rig));
  describe('parking', () => parking(() => rig));
  describe('following', () => following(() => rig));
}
