/**
 * {@include ../README.md}
 *
 * @module @nearfar/cgroup
 */

export { Cgroup, type CgroupOrigin, type FindOptions } from "./cgroup.ts";
export { CgroupError, type CgroupReason } from "./errors.ts";
export type { CgroupEvent } from "./events.ts";
export type { CgroupLimits, CpuLimits, CpusetLimits, MemoryLimits } from "./limits.ts";
export type { Pressure, PressureLine, Trigger } from "./pressure.ts";
export type { CgroupStat, MemoryEvents } from "./stat.ts";
export type { CgroupType, Controller } from "./state.ts";
export type { SystemdOptions } from "./systemd.ts";
