export { SUBJECT_KINDS, pseudonymOf, pseudonymsOf, type SubjectKind, type SubjectName } from './pseudonym';
export { subjectKey } from './subject-key';
