import type { LocationLike } from "@nearfar/core";
import { toAt } from "@nearfar/core/internal";
import type { Mount } from "./mounted.ts";
import { moveMount } from "./move.ts";

/**
 * Makes a detached mount, and attaches the mount unless the target is `null`.
 *
 * The target is checked before the first call. With a target the mount stays, and its descriptor is closed. If a call fails, the
 * descriptor is closed too, and the detached mount dissolves.
 *
 * @param target - The place, or `null` for the detached mount.
 * @param make - Makes the mount, with checks of the remaining arguments before its first call.
 * @returns The detached mount for `null`, else nothing.
 */
export function placed(target: LocationLike | null, make: () => Mount): Mount | undefined {
	if (target === null) return make();
	toAt(target, "target");
	using mount = make();
	moveMount(mount, target);
	return undefined;
}
