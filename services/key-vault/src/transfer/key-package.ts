import { UPSTREAM_KEY_PURPOSE, type WrappedDataKey } from '@weir/envelope';
import { parseId, type TenantId } from '@weir/kernel';
import { z } from 'zod';
import { badTransferKey } from '../errors';

/** A tenant's data keys, wrapped for another installation: what an archive carries so that its upstream keys open there. */
export const keyPackage = z.strictObject({
  format: z.literal('weir-key-package/1'),
  tenantId: z.custom<TenantId>((v) => typeof v === 'string' && parseId('ten', v) !== undefined, 'ten_…'),
  /** The KMS key that opens them, its ARN, or the id of a transfer key. */
  recipient: z.string().min(1).max(2_048),
  dataKeys: z.array(z.strictObject({ version: z.number().int().positive().max(0xffff_ffff), wrapped: z.base64().max(8_192) })).max(10_000),
});
export type KeyPackage = z.infer<typeof keyPackage>;

/** By version, as what stands beside a sealed secret names them. */
export const handedKeys = ({ tenantId, recipient: kekId, dataKeys }: KeyPackage): ReadonlyMap<number, WrappedDataKey> =>
  new Map(dataKeys.map(({ version, wrapped }) => [version, { tenantId, purpose: UPSTREAM_KEY_PURPOSE, version, kekId, wrapped: Buffer.from(wrapped, 'base64') }]));

const TRANSFER_KEY = /^weir-transfer-key-v1:([0-9a-f]{64})$/;

/** 32 bytes that two installations are given by hand. The message of a bad one never says what was sent. */
export const transferKey = z.string().trim().regex(TRANSFER_KEY, 'a transfer key, as `weir keys transfer-key` makes them');

export function transferKeyBytes(text: string): Buffer {
  const [, hex] = TRANSFER_KEY.exec(text) ?? [];
  if (hex === undefined) throw badTransferKey();
  return Buffer.from(hex, 'hex');
}
