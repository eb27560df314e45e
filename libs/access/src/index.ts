export { Access, type Need, type Principal } from './access';
export { StateReader, staleState, type StateReaderOptions } from './state-reader';
export { StateTable, type StateChangeListener } from './state-table';
export { mintToken, parseToken, type MintedToken, type ParsedToken, type TokenMode } from './token';
