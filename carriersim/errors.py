"""Twilio's error bodies: code, HTTP status and text.

Owns the vocabulary only; who raises what is in `validation` and `messages_api`. Codes and texts:
https://www.twilio.com/docs/api/errors. Clients must go by the code, the texts change.
"""

import json

_TABLE: dict[int, tuple[int, str]] = {
    19056: (415, "Input request content type is invalid"),
    20001: (400, "Invalid parameter: {0}"),
    20002: (400, "Invalid PageSize or PageToken"),
    20003: (401, "Authenticate"),
    20004: (405, "Method not allowed"),
    20005: (403, "Account not active"),
    20009: (409, "Cannot delete this resource before it is complete"),
    20404: (404, "The requested resource {0} was not found"),
    20429: (429, "Too Many Requests"),
    20500: (500, "Internal Server Error"),
    20503: (503, "Service unavailable"),
    21211: (400, "Invalid 'To' Phone Number: {0}"),
    21212: (400, "Invalid From Number (caller ID): {0}"),
    21602: (400, "Message body is required."),
    21603: (400, "A 'From' phone number is required."),
    21604: (400, "A 'To' phone number is required."),
    21606: (
        400,
        "The 'From' phone number {0} is not a valid, message-capable Twilio phone number "
        "for this account.",
    ),
    21609: (400, "The 'StatusCallback' URL {0} is not a valid URL."),
    21610: (400, "Attempt to send to unsubscribed recipient"),
    21614: (400, "'To' number is not a valid mobile number: {0}"),
    21617: (400, "The concatenated message body exceeds the 1600 character limit."),
    21620: (400, "The 'MediaUrl' {0} is not a valid URL."),
    21623: (400, "Number of media files exceeds allowed limit"),
    21624: (400, "The 'ValidityPeriod' {0} is invalid: it must be from 1 to 36000 seconds."),
    21703: (400, "The Messaging Service does not have a phone number available to send a message."),
    21705: (400, "The Messaging Service Sid {0} is invalid."),
    30409: (409, "This message cannot be canceled"),
    35111: (400, "The 'SendAt' parameter is required for a scheduled message."),
    35114: (400, "The 'SendAt' time must lie between 5 minutes and 35 days ahead."),
    35118: (400, "A 'MessagingServiceSid' is required to schedule a message."),
}


class CarrierError(Exception):
    """A request that the carrier refuses.

    Attributes:
        code: Twilio's error code.
        status: the HTTP status of the answer.
        body: the JSON answer.
    """

    def __init__(self, code: int, detail: str = "") -> None:
        status, text = _TABLE[code]
        super().__init__(f"{code} {text.format(detail)}")
        self.code = code
        self.status = status
        self.body = json.dumps(
            {
                "code": code,
                "message": text.format(detail),
                "more_info": f"https://www.twilio.com/docs/errors/{code}",
                "status": status,
            }
        ).encode()
