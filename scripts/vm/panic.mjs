// What is done about a machine whose kernel panics.

/**
 * Boots a machine. If its kernel panics, the machine is booted once more, and what the kernel has said is printed.
 *
 * @param {string} name - The machine, for the text that is printed.
 * @param {() => Promise<{ panicked?: boolean, console?: string }>} boot - Boots the machine.
 * @returns What the last boot has returned.
 */
export async function bootAgainAfterPanic(name, boot) {
	const ended = await boot();
	if (!ended.panicked) return ended;
	console.log(`${name}: the kernel has panicked, and the machine is booted once more\n${ended.console}`);
	return boot();
}
