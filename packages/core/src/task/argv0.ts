import { warnOnce } from "../warn-once.ts";
import type { Command } from "./exec-options.ts";

/**
 * Warns once if `argv[0]` is probably the first option: a caller who knows `spawn` forgets the name of the program.
 *
 * A program may have any name, so this is no error. A login shell has the name of its file with a `-` before it.
 *
 * @param command - The program as `exec` was asked for it, and the arguments with `argv[0]`.
 * @param byDescriptor - True if the program is an open file, whose name is not known.
 */
export function warnOfForgottenName({ path, argv }: Command, byDescriptor: boolean): void {
	const [name = ""] = argv;
	if (!name.startsWith("-") || name === path) return;
	const file = path.slice(path.lastIndexOf("/") + 1);
	if (byDescriptor ? /^-\w*sh$/.test(name) : name === `-${file}`) return;
	const given = JSON.stringify(byDescriptor ? "program" : path);
	warnOnce(
		"argv[0]",
		`argv[0] of a program is ${JSON.stringify(name)}, which looks like an option: task.exec takes argv with the name of the program, as execve(2) does: task.exec(${given}, [${given}, ${JSON.stringify(name)}, …])`,
	);
}
