print("smsq")
