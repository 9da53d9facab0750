import type { FailureData } from "../../native/binding.js";
import { isOtherEntered, otherCopyError } from "../copies.ts";
import { NearfarError } from "../errors.ts";
import { deliver } from "./events.ts";
import { loadAddon, type Native } from "./load.ts";

export type { Native } from "./load.ts";

let addon: Native | undefined;
// All copies of this package that use the same addon in a thread share the seat. The number in the seat is that of the copy that
// makes the calls now: the addon throws the errors of that copy, and looks up tasks and events among those of that copy.
let seat = { copy: 0 };
let copy = 0;
let makeError: (failure: FailureData) => Error = () =>
	new NearfarError("INTERNAL", "@nearfar/core was not loaded whole");

/** Sets the function that makes the error for a failure of the addon. Called once, before the addon is loaded. */
export function setMakeError(make: typeof makeError): void {
	makeError = make;
}

/**
 * Returns the addon. The first call loads the addon and attaches this copy of the package to the thread.
 *
 * @throws `ERR_NEARFAR_UNSUPPORTED_PLATFORM` There is no addon for this platform.
 * @throws `ERR_NEARFAR_BUNDLED` A bundler has copied this code into another file.
 * @throws `ERR_NEARFAR_NOT_INSTALLED` The package with the addon for this platform is not installed.
 * @throws `ERR_NEARFAR_PERMISSION` This process may not load the addon, or may not read its file.
 * @throws `ERR_NEARFAR_WRONG_LIBC` The C library of this process does not fit the addon.
 * @throws `ERR_NEARFAR_DAMAGED` A file of the addon's package is missing, cut off, or for another CPU.
 * @throws `ERR_NEARFAR_VERSION_MISMATCH` The addon's package is of another version than this one.
 * @throws `ERR_NEARFAR_NOT_LOADED` The dynamic loader has refused the addon for another reason.
 * @throws `ERR_NEARFAR_OTHER_COPY` A task or a batch of another copy of the package is current.
 */
export function native(): Native {
	addon ??= attach();
	if (seat.copy !== copy || isOtherEntered()) takeSeat(addon);
	return addon;
}

/**
 * Delivers the events that the reactor has posted. The addon calls this function when there are events, and so does code
 * that needs them at once.
 */
export function dispatch(): void {
	deliver(native().drain());
}

function attach(): Native {
	const { addon, stub } = loadAddon();
	[copy, seat] = addon.attach(dispatch, makeError, stub);
	return addon;
}

/** Tells the addon that this copy of the package makes the calls from now on. */
function takeSeat(addon: Native): void {
	if (isOtherEntered() || !addon.useCopy(copy)) throw otherCopyError();
	seat.copy = copy;
}
