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
	StatmountField,
	StatmountFlag,
	UmountFlag,
} from "@nearfar/core/internal";
export { type AccessTimes, type AttributeOptions, type MountSetattrOptions, mountSetattr } from "./attributes.ts";
export { type BindOptions, bind } from "./bind.ts";
export { type MountOptions, mount, type UmountOptions, umount } from "./classic.ts";
export type { MountData, MountValue } from "./data.ts";
export { type DevptsOptions, devpts } from "./devpts.ts";
export { MountFlags, type MountOptionSplit } from "./flags.ts";
export { FsContext, fsopen, fspick } from "./fs-context.ts";
export { type ListmountOptions, listmount } from "./listmount.ts";
export type { MountStat, SuperblockFlag } from "./mount-stat.ts";
export { type CreateOptions, type FsmountOptions, fsmount, Mount } from "./mounted.ts";
export { mountinfo } from "./mountinfo.ts";
export { type MoveMountOptions, moveMount } from "./move.ts";
export { cgroup2, mqueue, sysfs } from "./namespace-views.ts";
export { type OverlayOptions, overlay } from "./overlay.ts";
export { type MountInfo, parseMountinfo } from "./parse-mountinfo.ts";
export { type PopulateDevOptions, populateDev } from "./populate-dev.ts";
export { type PopulateProcOptions, populateProc } from "./populate-proc.ts";
export { type PopulateSysOptions, populateSys } from "./populate-sys.ts";
export { type ProcOptions, proc } from "./proc.ts";
export { enterRoot, pivotRoot } from "./root.ts";
export { type StatmountOptions, statmount } from "./statmount.ts";
export { type TmpfsOptions, tmpfs } from "./tmpfs.ts";
export { type OpenTreeOptions, openTree } from "./tree.ts";
