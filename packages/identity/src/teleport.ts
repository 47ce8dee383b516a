export { ASSERTION_HEADER, SKEW_MS_MAX, createAssertionVerifier } from './teleport/assertion.ts'
export type { AssertionOptions, AssertionOutcome, AssertionVerifier, Operator } from './teleport/assertion.ts'
export { mayView, parseViewerRules, policyOf, viewerRole } from './teleport/viewer-policy.ts'
export type { OperatorPolicy, ViewerRule } from './teleport/viewer-policy.ts'
