import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import type { Envelope, WrappedDataKey } from '@weir/envelope';
import { PLATFORM } from '@weir/kernel';
import type { UnitOfWork } from '@weir/tenancy';

/** Its own purpose: a role that may open upstream keys does not sign. */
export const REPORT_PURPOSE = 'report-signing';
const PLACE = { tenantId: PLATFORM, keyId: 'report-signer', version: 1, purpose: REPORT_PURPOSE };

interface SignerRow {
  public_key: Buffer;
  sealed: Buffer;
  kek_id: string;
  wrapped: Buffer;
}

/**
 * Ed25519 (RFC 8032) over the bytes of a report. The key is made once and stands sealed in the vault's schema: whoever can write the
 * database alone can sign nothing, and its public half is in the platform's log from the first report on.
 */
export class ReportSigner {
  constructor(
    private readonly work: UnitOfWork,
    private readonly envelope: Envelope,
  ) {}

  /** PEM (SubjectPublicKeyInfo). */
  async publicKey(): Promise<string> {
    const { public_key } = await this.signer();
    return createPublicKey({ key: public_key, format: 'der', type: 'spki' }).export({ format: 'pem', type: 'spki' }).toString();
  }

  async sign(report: string): Promise<Buffer> {
    const row = await this.signer();
    const seed = await this.envelope.open(row.sealed, { ...PLACE, dataKey: dataKeyOf(row) });
    try {
      return sign(null, Buffer.from(report), createPrivateKey({ key: seed, format: 'der', type: 'pkcs8' }));
    } finally {
      seed.fill(0);
    }
  }

  /** Its data key under the key-encryption key of today. */
  async rewrap(): Promise<void> {
    const before = await this.signer();
    const { kekId, wrapped } = await this.envelope.rewrapDataKey(dataKeyOf(before));
    await this.work.inControl((sql) =>
      sql.query('update report_signers set kek_id = $1, wrapped = $2 where id = 1 and wrapped = $3', [kekId, wrapped, before.wrapped]),
    );
  }

  private async signer(): Promise<SignerRow> {
    const find = () => this.work.inControl((sql) => sql.query<SignerRow>('select public_key, sealed, kek_id, wrapped from report_signers where id = 1'));
    const found = (await find()).rows[0];
    if (found !== undefined) return found;
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const secret = privateKey.export({ format: 'der', type: 'pkcs8' });
    const dataKey = await this.envelope.createDataKey(PLATFORM, REPORT_PURPOSE, 1);
    const sealed = await this.envelope.seal({ ...PLACE, plaintext: secret, dataKey });
    secret.fill(0);
    await this.work.inControl((sql) =>
      sql.query('insert into report_signers (id, public_key, sealed, kek_id, wrapped) values (1, $1, $2, $3, $4) on conflict do nothing', [
        publicKey.export({ format: 'der', type: 'spki' }),
        sealed,
        dataKey.kekId,
        dataKey.wrapped,
      ]),
    );
    // of two that were made at once the first stays
    const [made] = (await find()).rows;
    if (made === undefined) throw new Error('the signer that was just made is not there');
    return made;
  }
}

export const signedBy = (publicKeyPem: string, report: string, signature: Buffer): boolean =>
  verify(null, Buffer.from(report), createPublicKey(publicKeyPem), signature);

const dataKeyOf = ({ kek_id, wrapped }: SignerRow): WrappedDataKey => ({
  tenantId: PLATFORM,
  purpose: REPORT_PURPOSE,
  version: 1,
  kekId: kek_id,
  wrapped,
});
