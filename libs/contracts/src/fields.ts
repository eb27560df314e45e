import { z } from 'zod';
import type { KeyId, MemberId, ProjectId, TenantId, TokenId } from '@weir/kernel';
import { plain } from './privacy';

/** The fields that many contracts share. An id is a name that we made: it says nothing about a person. */
const id = <T extends string>(prefix: string) => z.custom<T>((v) => typeof v === 'string' && v.startsWith(`${prefix}_`), `${prefix}_…`);

export const tenantId = () => plain(id<TenantId>('ten'));
export const keyId = () => plain(id<KeyId>('key'));
export const tokenId = () => plain(id<TokenId>('tok'));
export const projectId = () => plain(id<ProjectId>('prj'));
export const memberId = () => plain(id<MemberId>('mem'));
export const text = () => plain(z.string());
/** ms since the epoch. */
export const timestamp = () => plain(z.number().int().nonnegative());
export const count = () => plain(z.number().int().nonnegative());
export const oneOf = <const T extends readonly [string, ...string[]]>(...values: T) => plain(z.enum(values));

export const KEY_MODES = ['shared', 'byo', 'hybrid'] as const;
export type KeyMode = (typeof KEY_MODES)[number];
export const PLACEMENTS = ['schema', 'pooled', 'database'] as const;
export const ROLES = ['owner', 'admin', 'member', 'auditor'] as const;
export type Role = (typeof ROLES)[number];

export const planRef = () => z.object({ id: text(), version: count() });
export type PlanRef = { id: string; version: number };
