// The main program of a single executable. `node_modules` with @nearfar lies beside the executable.
const { createRequire } = require("node:module");

const { run } = createRequire(process.execPath)("@nearfar/process");
run("echo", ["bundled"]).then(({ stdout }) => process.stdout.write(stdout));
