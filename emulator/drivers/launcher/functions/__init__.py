"""
The processes that run Lambda functions: started, called and ended without a wait, and with AWS's environ and errors.
"""
