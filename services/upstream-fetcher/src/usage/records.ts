import type { OutgoingRecord } from '@weir/bus';
import { DEMAND_TOPIC, DRIFT_TOPIC, SIGNAL_TOPIC, USAGE_TOPIC, type CatalogDrift, type Demand, type UpstreamSignal, type Usage } from '@weir/contracts';

const HEADERS = { 'content-type': 'application/json' };
const toRecord = (topic: string, key: string, value: unknown): OutgoingRecord => ({
  topic,
  key,
  value: Buffer.from(JSON.stringify(value)),
  headers: HEADERS,
});

/** All records of a call have one key, and so one order. */
export const usageRecord = (usage: Usage): OutgoingRecord => toRecord(USAGE_TOPIC, `${usage.tenantId}/${usage.requestId}`, usage);
export const signalRecord = (signal: UpstreamSignal): OutgoingRecord => toRecord(SIGNAL_TOPIC, signal.keyId, signal);
export const driftRecord = (drift: CatalogDrift): OutgoingRecord => toRecord(DRIFT_TOPIC, `${drift.catalog}/${drift.endpoint}`, drift);
export const demandRecord = (demand: Demand): OutgoingRecord => toRecord(DEMAND_TOPIC, demand.keyId, demand);
