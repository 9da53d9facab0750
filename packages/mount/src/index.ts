/**
 * {@include ../README.md}
 *
 * @module @nearfar/mount
 */

export type {
	FsmountFlag,
	LogMessage,
	MountAttribute,
	MountFlag,
	MoveMountFlag,
	OpenTreeFlag,
	Propagation,
	UmountFlag,
} from "@nearfar/core/internal";
export { type AccessTimes, type AttributeOptions, type MountSetattrOptions, mountSetattr } from "./attributes.ts";
export { type BindOptions, bind } from "./bind.ts";
export { type MountOptions, mount, type UmountOptions, umount } from "./classic.ts";
export type { MountData, MountValue } from "./data.ts";
export { type DevptsOptions, devpts } from "./devpts.ts";
export { MountFlags, type MountOptionSplit } from "./flags.ts";
export { FsContext, fsopen, fspick } from "./fs-context.ts";
export { type CreateOptions, type FsmountOptions, fsmount, Mount } from "./mounted.ts";
export { type MoveMountOptions, moveMount } from "./move.ts";
export { cgroup2, mqueue, sysfs } from "./namespace-views.ts";
export { type ProcOptions, proc } from "./proc.ts";
export { enterRoot, pivotRoot } from "./root.ts";
export { type TmpfsOptions, tmpfs } from "./tmpfs.ts";
export { type OpenTreeOptions, openTree } from "./tree.ts";
