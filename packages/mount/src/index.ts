/**
 * {@include ../README.md}
 *
 * @module @nearfar/mount
 */

export type {
	MountAttribute,
	MountFlag,
	MoveMountFlag,
	OpenTreeFlag,
	Propagation,
	UmountFlag,
} from "@nearfar/core/internal";
export { type AccessTimes, type MountSetattrOptions, mountSetattr } from "./attributes.ts";
export { type MountOptions, mount, type UmountOptions, umount } from "./classic.ts";
export type { MountData, MountValue } from "./data.ts";
export { pivotRoot } from "./root.ts";
export { type MoveMountOptions, moveMount, type OpenTreeOptions, openTree } from "./tree.ts";
