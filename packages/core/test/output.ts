import { type ChildProcess, type ExecOptions, type FileDescriptor, type PathLike, pipe, Task } from "../src/index.ts";

/** What a program wrote to its standard output, and the program. */
export interface Output {
	text: string;
	child: ChildProcess;
}

/** Executes a program in `task`, in a new one by default, and waits for its end and all of its output. */
export async function output(
	path: PathLike | FileDescriptor,
	argv?: readonly string[],
	options?: ExecOptions & { task?: Task },
): Promise<Output> {
	const task = options?.task ?? (await Task.clone());
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

/** Everything up to the end of a descriptor that blocks. */
export function readAll(fd: FileDescriptor): string {
	let text = "";
	for (let part = fd.read(65_536); part.length > 0; part = fd.read(65_536)) text += part;
	return text;
}
