/**
 * {@include ../README.md}
 *
 * @module @nearfar/namespaces
 */

export {
	IdAllocation,
	IdMap,
	IdMapHelperError,
	type IdMapping,
	type IdMaps,
	type IdRange,
	type NamespaceKind,
	type ProcessLike,
	subordinateIds,
	writeIdMap,
} from "@nearfar/core";
export { setdomainname, sethostname } from "./hostname.ts";
export { type NamespaceKindData, namespaceKinds } from "./kinds.ts";
export type { NamespaceLink } from "./links.ts";
export { loopbackUp } from "./loopback.ts";
export { Namespace } from "./namespace.ts";
export type { PinOptions } from "./pin.ts";
export { setns } from "./setns.ts";
export { setTimeOffsets, type TimeOffsets, timeOffsets } from "./time-offsets.ts";
export { unshare } from "./unshare.ts";
export { unshareUser } from "./unshare-user.ts";
export { userNamespace } from "./user-namespace.ts";
