import { testAbort } from "../../../../test/aborted.ts";
import { run, spawn } from "../../src/index.ts";

const never = () => new Promise<void>(() => {});

testAbort("spawn", (signal) => spawn("sleep", ["1000"], { stdio: "ignore", signal }));
testAbort("spawn with killTree", (signal) => spawn("sleep", ["1000"], { stdio: "ignore", killTree: true, signal }));
testAbort("spawn with a setup", (signal) => spawn("sleep", ["1000"], { stdio: "ignore", setup: never, signal }));
testAbort("spawn with a timeout", (signal) => spawn("sleep", ["1000"], { stdio: "ignore", timeout: 60_000, signal }));
testAbort("run before the program runs", (signal) => run("sleep", ["1000"], { signal }));
