import { type ChildProcess, type ExecOptions, type FileDescriptor, type PathLike, pipe, Task } from "../src/index.ts";

/** The standard output of a program, and the program. */
export interface Output {
	text: string;
	child: ChildProcess;
}

/** Executes a program in `task`, by default a new one. Resolves when the program has ended and its output is read. */
export async function output(
	path: PathLike | FileDescriptor,
	argv?: readonly string[],
	{ task: given, ...options }: ExecOptions & { task?: Task } = {},
): Promise<Output> {
	const task = given ?? (await Task.clone());
	const [read, write] = pipe();
	try {
		const far = task.put(write);
		task.run(() => far.dupTo(1));
		const child = task.exec(path, argv, options);
		write.close();
		const text = readAll(read);
		await child.exited;
		return { text, child };
	} finally {
		read.close();
		write.close();
	}
}

/** Reads a blocking descriptor to its end. */
export function readAll(fd: FileDescriptor): string {
	let text = "";
	for (let part = fd.read(65_536); part.length > 0; part = fd.read(65_536)) text += part;
	return text;
}
