/** A procfs of the pid namespace of the tests, for shells and for calls of nearfar that look at processes from outside. */
export const ownProc = process.env.NEARFAR_TEST_PROC ?? "/proc";
