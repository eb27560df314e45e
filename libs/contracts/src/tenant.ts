import { z } from 'zod';
import { event, record, type FactOf } from './contract';
import { KEY_MODES, PLACEMENTS, ROLES, count, memberId, oneOf, planRef, projectId, tenantId, text, timestamp } from './fields';
import { plain } from './privacy';
import { eventsTopic, stateTopic } from './topics';

const topic = eventsTopic('tenant');
const keyMode = () => oneOf(...KEY_MODES);

export const tenantRequested = event(topic, 'tenant.requested', 'An operator asked for a tenant; its schema does not exist yet.', {
  tenantId: tenantId(),
  slug: text(),
  name: text(),
  plan: planRef(),
  keyMode: keyMode(),
  placement: oneOf(...PLACEMENTS),
});

export const tenantProvisioned = event(topic, 'tenant.provisioned', "The tenant's schema, role and log exist.", {
  tenantId: tenantId(),
  schema: text(),
});

export const tenantRegistered = event(topic, 'tenant.registered', "The first event of a tenant's own log.", {
  slug: text(),
  name: text(),
  plan: planRef(),
  keyMode: keyMode(),
  placement: oneOf(...PLACEMENTS),
  trialEndsAt: plain(z.number().int().nullable()),
});

export const tenantRenamed = event(topic, 'tenant.renamed', 'The name that people see changed.', { name: text() });
export const tenantSuspended = event(topic, 'tenant.suspended', 'Every call of the tenant is refused from here on.', {});
export const tenantResumed = event(topic, 'tenant.resumed', 'The tenant may call again.', {});
export const tenantOffboarded = event(topic, 'tenant.offboarded', 'The tenant is leaving: no calls, its data readable until purged.', {});

export const tenantPlanChanged = event(topic, 'tenant.plan-changed', 'Another plan holds from here on.', {
  plan: planRef(),
  trialEndsAt: plain(z.number().int().nullable()),
});

export const tenantKeyModeChanged = event(topic, 'tenant.key-mode-changed', 'Whose upstream key the tenant calls with.', {
  mode: keyMode(),
  because: oneOf('request', 'plan'),
});

export const tenantMoved = event(topic, 'tenant.moved', "The tenant's data were moved, log and all; positions and chain go on.", {
  from: oneOf(...PLACEMENTS),
  placement: oneOf(...PLACEMENTS),
  /** Of placement `database`: the cluster's name. */
  cluster: plain(z.string().nullable()),
  /** Counts its moves, from 1. */
  epoch: count(),
  /** The log's end at the switch. */
  position: count(),
  chainHash: text(),
});

export const tenantImported = event(topic, 'tenant.imported', 'The tenant came from an archive, log and all; positions and chain go on.', {
  /** The log's end in the archive. */
  position: count(),
  chainHash: text(),
  exportedAt: text(),
});

export const tenantPurgeStarted = event(topic, 'tenant.purge-started', "An offboarded tenant's data are going; its states are withdrawn.", {
  tenantId: tenantId(),
  /** The log's end: all that will be left of it. */
  position: count(),
  chainHash: text(),
});

export const tenantPurged = event(topic, 'tenant.purged', "The receipt: the tenant's schema, role and data are gone.", {
  tenantId: tenantId(),
  /** Rows by table. */
  rows: plain(z.record(z.string(), z.number().int().nonnegative())),
});

export const projectCreated = event(topic, 'project.created', 'A project: usage and limits are told apart by it.', {
  projectId: projectId(),
  name: text(),
});

export const memberAdded = event(topic, 'member.added', 'A seat was taken. Who it is stands in the tenant’s schema, not here.', {
  memberId: memberId(),
  role: oneOf(...ROLES),
});
export const memberRemoved = event(topic, 'member.removed', 'A seat was given back.', { memberId: memberId() });

export type TenantEvent = FactOf<
  | typeof tenantRegistered
  | typeof tenantRenamed
  | typeof tenantSuspended
  | typeof tenantResumed
  | typeof tenantOffboarded
  | typeof tenantPlanChanged
  | typeof tenantKeyModeChanged
  | typeof tenantMoved
  | typeof tenantImported
  | typeof projectCreated
  | typeof memberAdded
  | typeof memberRemoved
>;

export const tenantState = record(
  stateTopic('tenant'),
  'tenant.state',
  'What every service must know of a tenant to serve its calls.',
  z.object({
    id: tenantId(),
    slug: text(),
    status: oneOf('active', 'suspended', 'offboarded'),
    keyMode: keyMode(),
    plan: planRef(),
    trialEndsAt: plain(z.number().int().nullable()),
    defaultProject: projectId(),
    placement: oneOf(...PLACEMENTS),
    /** The stream's version, for If-Match. */
    version: count(),
    registeredAt: timestamp(),
  }),
);
export type TenantState = z.infer<typeof tenantState.schema>;
