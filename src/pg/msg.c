/* Two tables of 256 rows; what is not named is MSG_REJECT, which is 0. */
#include "pg/frame.h"
#include "pg/msg.h"

/* PostgreSQL's and libpq's limits count the length word. */
#define LARGE      (FRAME_MAX_BODY - 4)
#define SMALL      (10000u - 4)
#define LIBPQ_LONG (30000u - 4)

/* PostgreSQL reads a Flush of 10000 bytes, too, but answers one that is not empty with an error that answers nothing. */
#define NONE 0u

/* Room for S, V and C of an ErrorResponse, which come first, and for most of M. */
#define ERROR_PREFIX 256

const struct msg_info msg_client_table[256] = {
  /* class, completes, answers, extended, need, max_body, name */
	['B'] = {MSG_FORWARD, false, false, true,  0, LARGE, "Bind"        },
	['C'] = {MSG_FORWARD, false, false, true,  0, SMALL, "Close"       },
	['D'] = {MSG_FORWARD, false, false, true,  0, SMALL, "Describe"    },
	['E'] = {MSG_FORWARD, false, false, true,  0, SMALL, "Execute"     },
	['F'] = {MSG_FORWARD, false, false, false, 0, LARGE, "FunctionCall"},
	['H'] = {MSG_FORWARD, false, false, false, 0, NONE,  "Flush"       },
	['P'] = {MSG_FORWARD, false, false, true,  0, LARGE, "Parse"       },
	['Q'] = {MSG_FORWARD, false, false, false, 0, LARGE, "Query"       },
	['S'] = {MSG_FORWARD, false, false, false, 0, SMALL, "Sync"        },
	['X'] = {MSG_FORWARD, false, false, false, 0, SMALL, "Terminate"   },
	['c'] = {MSG_FORWARD, false, false, false, 0, SMALL, "CopyDone"    },
	['d'] = {MSG_FORWARD, false, false, false, 0, LARGE, "CopyData"    },
	['f'] = {MSG_FORWARD, false, false, false, 0, SMALL, "CopyFail"    },
};

/* ParameterDescription is among libpq's short ones, but 65535 parameters, which other drivers use, need 256
 * KB. */
const struct msg_info msg_server_table[256] = {
  /* class, completes, answers, extended, need, max_body, name */
	['1'] = {MSG_FORWARD, true,  true,  false, 0,            LIBPQ_LONG,     "ParseComplete"       },
	['2'] = {MSG_FORWARD, true,  true,  false, 0,            LIBPQ_LONG,     "BindComplete"        },
	['3'] = {MSG_FORWARD, true,  true,  false, 0,            LIBPQ_LONG,     "CloseComplete"       },
	['A'] = {MSG_FORWARD, false, false, false, 0,            FRAME_MAX_BODY, "NotificationResponse"},
	['C'] = {MSG_FORWARD, true,  true,  false, 0,            LIBPQ_LONG,     "CommandComplete"     },
	['D'] = {MSG_FORWARD, false, false, false, 0,            FRAME_MAX_BODY, "DataRow"             },
	['E'] = {MSG_PREFIX,  false, true,  false, ERROR_PREFIX, FRAME_MAX_BODY, "ErrorResponse"       },
	['G'] = {MSG_FORWARD, false, true,  false, 0,            LIBPQ_LONG,     "CopyInResponse"      },
	['H'] = {MSG_FORWARD, false, false, false, 0,            LIBPQ_LONG,     "CopyOutResponse"     },
	['I'] = {MSG_FORWARD, true,  true,  false, 0,            LIBPQ_LONG,     "EmptyQueryResponse"  },
	['N'] = {MSG_PREFIX,  false, false, false, ERROR_PREFIX, FRAME_MAX_BODY, "NoticeResponse"      },
	['S'] = {MSG_WHOLE,   false, false, false, 0,            LIBPQ_LONG,     "ParameterStatus"     },
	['T'] = {MSG_FORWARD, true,  true,  false, 0,            FRAME_MAX_BODY, "RowDescription"      },
	['V'] = {MSG_FORWARD, false, true,  false, 0,            FRAME_MAX_BODY, "FunctionCallResponse"},
	['W'] = {MSG_FORWARD, false, true,  false, 0,            LIBPQ_LONG,     "CopyBothResponse"    },
	['Z'] = {MSG_WHOLE,   false, true,  false, 0,            1,              "ReadyForQuery"       },
	['c'] = {MSG_FORWARD, false, false, false, 0,            LIBPQ_LONG,     "CopyDone"            },
	['d'] = {MSG_FORWARD, false, false, false, 0,            FRAME_MAX_BODY, "CopyData"            },
	['n'] = {MSG_FORWARD, true,  true,  false, 0,            LIBPQ_LONG,     "NoData"              },
	['s'] = {MSG_FORWARD, true,  true,  false, 0,            LIBPQ_LONG,     "PortalSuspended"     },
	['t'] = {MSG_FORWARD, false, true,  false, 0,            FRAME_MAX_BODY, "ParameterDescription"},
};
