const parent = process.ppid; // before anything else takes time, in which the parent may die
const { bubblewrap } = await import("@nearfar/sandbox/bubblewrap");
process.exit(await bubblewrap(process.argv.slice(2), { parent, script: process.argv[1] ?? "nearfar-bwrap" }));
