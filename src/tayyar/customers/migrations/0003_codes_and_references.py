"""One-time codes, and the serial behind the references that people are given."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('customers', '0002_people_and_wishes'),
    ]

    operations = [
        migrations.CreateModel(
            name='OneTimeCode',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('purpose', models.CharField(help_text='"WISHES", "DELEGATE"', max_length=16)),
                ('subject', models.CharField(blank=True, help_text='what exactly it confirms: a hash, or nothing', max_length=64)),
                ('code_hash', models.BinaryField(max_length=16)),
                ('issued_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
                ('tries', models.SmallIntegerField(default=0)),
                ('used_at', models.DateTimeField(null=True)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='customers.customeraccount')),
                ('contact_point', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='customers.contactpoint')),
            ],
            options={
                'indexes': [models.Index(fields=['account', 'issued_at'], name='code_by_account')],
            },
        ),
        migrations.RunSQL("CREATE SEQUENCE customers_reference_serial", "DROP SEQUENCE customers_reference_serial"),
    ]
