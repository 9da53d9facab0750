/**
 * {@include ../README.md}
 *
 * @module @nearfar/seccomp
 */

export type { SeccompActionName } from "@nearfar/core/internal";
export type { CallName } from "./calls.generated.ts";
export { compileFilter } from "./compile-filter.ts";
export { installFilter } from "./install-filter.ts";
export type { SeccompAction, SeccompCondition, SeccompRule, SeccompRules } from "./rules.ts";
