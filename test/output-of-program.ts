import { pipe, type Task } from "@nearfar/core";

/**
 * Executes a program in a task, and returns what the program writes, up to 65536 bytes.
 *
 * @param words - The name of the program and its arguments.
 * @param file - The file of the program. Default: the first word.
 */
export async function outputOfProgram(task: Task, words: readonly [string, ...string[]], file = words[0]) {
	const [read, write] = pipe();
	try {
		const far = task.put(write);
		task.run(() => far.dupTo(1, { closeOnExec: false }));
		const child = task.exec(file, [...words]);
		write.close();
		await child.check();
		return read.read(65536).toString();
	} finally {
		read.close();
		write.close();
	}
}
