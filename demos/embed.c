/* embed.c -- a program of its own with Tcl and the kafka package linked in: a message there and back.
 *
 * `make static` writes the library and says how to compile and link this; see include/kafkatcl.h.
 */
#include <stdio.h>
#include <kafkatcl.h>

#if TCL_MAJOR_VERSION == 8 && TCL_MINOR_VERSION < 7
#define Tcl_StaticLibrary Tcl_StaticPackage
#endif

static const char script[] =
    "load {} Kafka\n"
    "::kafka::kafka mock cluster\n"
    "::kafka::kafka create kafka\n"
    "kafka config bootstrap.servers [cluster bootstrap] group.id embed\n"
    "kafka producer_creator producer\n"
    "kafka subscriber reader\n"
    "producer send flights {over Houston} -key UAL123 -partition 0 -wait 30000\n"
    "reader assign {flights 0 beginning}\n"
    "set message [reader consume 30000]\n"
    "reader close\n"
    "producer close\n"
    "return \"[package present kafka]: [dict get $message key] [dict get $message payload]\"\n";

int main(int argc, char **argv) {
    Tcl_Interp *interp;
    int code;

    (void)argc;
    Tcl_FindExecutable(argv[0]);
    interp = Tcl_CreateInterp();
    Tcl_StaticLibrary(NULL, "Kafka", Kafka_Init, Kafka_SafeInit);
    code = Tcl_Init(interp) == TCL_OK ? Tcl_Eval(interp, script) : TCL_ERROR;
    fprintf(code == TCL_ERROR ? stderr : stdout, "%s\n", Tcl_GetStringResult(interp));
    Tcl_DeleteInterp(interp);
    Tcl_Exit(code == TCL_ERROR);
    return 0;
}
