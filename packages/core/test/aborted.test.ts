import { setTimeout } from "node:timers/promises";
import { testAbort } from "../../../test/aborted.ts";
import { chdir, EventFd, Task } from "../src/index.ts";

// Node itself is the first row: the others have its shape.
testAbort("setTimeout of Node", (signal) => setTimeout(1_000_000, undefined, { signal }));

testAbort("Task.clone", (signal) => Task.clone({ signal }));
testAbort("Task.clone with a first batch", (signal) => Task.clone({ signal, begin: () => chdir("/") }));
testAbort("task.clone", async (signal) => {
	await using task = await Task.clone();
	await task.clone({ signal });
});
testAbort("child.wait", async (signal) => {
	await using task = await Task.clone();
	await task.process.wait({ signal });
});
testAbort("child.wait for a stop", async (signal) => {
	await using task = await Task.clone();
	await task.process.wait({ stopped: true, signal });
});
testAbort("eventfd.readAsync", async (signal) => {
	using counter = EventFd.create();
	await counter.readAsync({ signal });
});
