// What a script leaves to do for its end, also where a signal or an error ends it.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const acts = new Set();

/**
 * Calls a function when this process ends: after its last line, by process.exit, by an error, or by a signal that asks it to end.
 * Returns a function that takes this back. Nothing helps against SIGKILL.
 */
export function atEnd(act) {
	watch();
	acts.add(act);
	return () => acts.delete(act);
}

/** Makes a folder that is removed when this process ends, and returns its path. `name` begins the name of the folder. */
export function temporaryFolder(name, parent = tmpdir()) {
	const folder = mkdtempSync(join(parent, name));
	// A program that was killed a moment ago may still make a file.
	atEnd(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
	return folder;
}

let isWatched = false;

function watch() {
	if (isWatched) return;
	isWatched = true;
	process.on("exit", finish);
	for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
		process.once(signal, () => {
			finish();
			// This listener is gone. So the signal now ends the process, and a shell sees that it did, and ends too.
			process.kill(process.pid, signal);
		});
	}
}

function finish() {
	// The last one first: programs end before the folders that they write to. One that throws is not called again by the end that follows.
	for (const act of [...acts].reverse()) {
		acts.delete(act);
		act();
	}
}
