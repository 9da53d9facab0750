// What is done about a machine whose kernel panics.

/**
 * Boots a machine. If its kernel panics, the machine is booted once more, and what the kernel has said is printed: where a kernel patches
 * its own code, as at the first cpuset, an emulated processor can meet an int3 that the kernel does not know any more. Processors that
 * run in turn do not meet one, and take longer.
 *
 * @param {string} name - The machine, for the text that is printed.
 * @param {(inTurn: boolean) => Promise<{ panicked?: boolean, console?: string }>} boot - Boots the machine, with its processors at the
 * same time or in turn.
 * @returns What the last boot has returned.
 */
export async function bootAgainAfterPanic(name, boot) {
	const ended = await boot(false);
	if (!ended.panicked) return ended;
	console.log(`${name}: the kernel has panicked, and the machine is booted once more\n${ended.console}`);
	return boot(true);
}
