import { BatchError, type FileDescriptor, type Process, Task } from "@nearfar/core";
import { currentBatch, native, wrongType } from "@nearfar/core/internal";

/** Checks the task of a function that returns a promise. */
export function checkTask(task: Task<Process>, name: string): void {
	if (!(task instanceof Task)) throw wrongType("task", "a Task", task);
	if (currentBatch()) throw new BatchError(`${name} cannot be collected in a batch: call it before or after the batch`);
}

/** Moves a socket of a task to this process. The task keeps no copy. */
export function moveNear(task: Task<Process>, socket: FileDescriptor): FileDescriptor {
	if (task.isNear) return socket;
	try {
		return task.get(socket);
	} finally {
		socket.close();
	}
}

/**
 * Hands a descriptor of this process to an object of Node, which closes it from then on.
 *
 * @param descriptor - The descriptor. If `receive` throws, the caller still closes it.
 * @param receive - Makes the object that takes the number over.
 */
export function handOver<T>(descriptor: FileDescriptor, receive: (fd: number) => T): T {
	const { fd } = descriptor;
	// The end of a Worker can interrupt its JavaScript at any moment: until the object has the descriptor, nearfar closes it then.
	native().beginHandover(fd);
	try {
		const received = receive(fd);
		descriptor.take();
		return received;
	} finally {
		native().endHandover(fd);
	}
}
