const topics = new Set<string>();

/**
 * Emits a process warning of the name `NearfarWarning`, unless one about the same topic was emitted before.
 *
 * @param topic - What the warning is about, in a word. The user does not see it.
 * @param message - The warning: what was found, and what to do about it.
 */
export function warnOnce(topic: string, message: string): void {
	if (topics.has(topic)) return;
	topics.add(topic);
	process.emitWarning(message, "NearfarWarning");
}
