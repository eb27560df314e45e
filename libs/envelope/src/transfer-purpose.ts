/** Of a data key that is wrapped for another installation: no fetcher's policy has it, and nothing else is wrapped so. */
export const TRANSFER_PURPOSE = 'key-transfer';
