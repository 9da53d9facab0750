/**
 * {@include ../README.md}
 *
 * @module @nearfar/cgroup
 */

export { Cgroup, type CgroupOrigin, type FindOptions } from "./cgroup.ts";
export { CgroupError, type CgroupReason } from "./errors.ts";
export type { CgroupType, Controller } from "./state.ts";
