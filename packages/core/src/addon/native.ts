import type * as Binding from "../../native/binding.js";
import { NearfarError, UnsupportedPlatformError } from "../errors.ts";
import { packageFolder } from "../package-folder.ts";
import { warnOnce } from "../warn-once.ts";
import { deliver } from "./events.ts";

/** The functions of the addon, which take and return numbers, text and bytes. */
export type Native = typeof Binding;

// The global `process`, because importing "node:process" opens stdin, stdout and stderr, and makes them nonblocking for all
// processes that share them. This package imports no other module of Node either: each would slow down the import of
// @nearfar/core, and most programs need few of them. Functions that need a module call `process.getBuiltinModule`.
const { arch, platform } = process;
let addon: Native | undefined;
let makeError: (failure: Binding.FailureData) => Error = () =>
	new NearfarError("INTERNAL", "@nearfar/core was not loaded whole");

/** Sets the function that makes the error for a failure of the addon. Called once, before the addon is loaded. */
export function setMakeError(make: typeof makeError): void {
	makeError = make;
}

/**
 * Returns the addon. The first call loads the addon and attaches it to this thread.
 *
 * @throws `ERR_NEARFAR_UNSUPPORTED_PLATFORM` There is no addon for this platform, or none is installed.
 */
export function native(): Native {
	addon ??= load();
	return addon;
}

/**
 * Delivers the events that the reactor has posted. The addon calls this function when there are events, and so does code
 * that needs them at once.
 */
export function dispatch(): void {
	deliver(native().drain());
}

function load(): Native {
	const names = ["gnu", "musl"].map((libc) => `linux-${arch}-${libc}`);
	if (platform !== "linux" || !["x64", "arm64"].includes(arch)) {
		throw new UnsupportedPlatformError(
			`cannot make system calls on ${platform} ${arch}: nearfar needs Linux on x64 or arm64`,
		);
	}
	warnOfOtherCopy();
	const { existsSync } = process.getBuiltinModule("node:fs");
	const folder = packageFolder();
	const require = process.getBuiltinModule("node:module").createRequire(`${folder}package.json`);
	const tried: string[] = [];
	for (const name of names) {
		const built = `${folder}native/nearfar.${name}.node`;
		const file = existsSync(built) ? built : findPackaged(require, name);
		if (file === undefined) {
			tried.push(`@nearfar/core-${name} is not installed`);
			continue;
		}
		try {
			const loaded: Native = require(file);
			loaded.attach(dispatch, makeError, `${file.slice(0, file.lastIndexOf("/"))}/nearfar-stub`);
			return loaded;
		} catch (error) {
			tried.push(`${file}: ${error instanceof Error ? error.message : error}`);
		}
	}
	throw new UnsupportedPlatformError(
		`cannot load the addon of nearfar for linux ${arch}: ${tried.join("; ")}; install @nearfar/core with its optional dependencies`,
	);
}

function findPackaged(require: NodeJS.Require, name: string): string | undefined {
	try {
		return require.resolve(`@nearfar/core-${name}/nearfar.${name}.node`);
	} catch {
		return undefined;
	}
}

/** Warns if another copy of the package is loaded, because objects of one copy mean nothing to the other. */
function warnOfOtherCopy(): void {
	const key = Symbol.for("@nearfar/core");
	const shared = globalThis as { [key]?: string };
	const here = packageFolder();
	if (shared[key] !== undefined && shared[key] !== here) {
		warnOnce(
			"copies",
			`two copies of @nearfar/core are loaded, ${shared[key]} and ${here}: each refuses the objects of the other; install one version`,
		);
	}
	shared[key] ??= here;
}
