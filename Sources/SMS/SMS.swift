// SMS
