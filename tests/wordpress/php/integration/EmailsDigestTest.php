<?php
declare( strict_types=1 );

namespace Tillsync\Tests;

use Tillsync\Bridge\Clock;
use Tillsync\Bridge\Connection\Connection;
use Tillsync\Bridge\Connection\ConnectionStore;
use Tillsync\Bridge\Emails\AttentionEmail;
use Tillsync\Bridge\Emails\Digest;
use Tillsync\Bridge\Health\Alert;
use Tillsync\Bridge\Health\Alerts;
use Tillsync\Bridge\Services;

/** Covers the email: each alert once, at most one an hour, three forms, and settings like those of WooCommerce's other emails. */
final class EmailsDigestTest extends SiteTestCase {

	private Services $services;
	private Clock $clock;
	/** @var array<int, array<string, mixed>> */
	private array $mails = array();
	private bool $mail_works = true;

	protected function setUp(): void {
		parent::setUp();
		$this->services = new Services();
		$this->clock    = new class() extends Clock {
			public int $time = 1800000000;
			public function now(): int {
				return $this->time;
			}
		};
		$this->services->set( Clock::class, $this->clock );
		$this->services->get( ConnectionStore::class )->save( new Connection( 'https://sync.example.test', 'shop-1', 'token', str_repeat( 's', 43 ), (string) get_option( 'home' ), 'production', 1 ) );
		remove_all_filters( 'pre_wp_mail' );
		add_filter(
			'pre_wp_mail',
			function ( $sent, array $mail ) {
				if ( $this->mail_works ) {
					$this->mails[] = $mail;
				}
				return $this->mail_works;
			},
			10,
			2
		);
	}

	private function email(): AttentionEmail {
		$email = WC()->mailer()->get_emails()['Tillsync_Attention_Email'] ?? null;
		$this->assertInstanceOf( AttentionEmail::class, $email );
		return $email;
	}

	private function alerts(): Alerts {
		return $this->services->get( Alerts::class );
	}

	private function due(): bool {
		return $this->services->get( Digest::class )->send_due();
	}

	public function test_the_email_is_listed_by_woocommerce_and_by_the_block_editor(): void {
		$this->assertSame( Digest::EMAIL_ID, $this->email()->id );
		$this->assertFalse( $this->email()->is_customer_email() );
		$this->assertContains( Digest::EMAIL_ID, apply_filters( 'woocommerce_transactional_emails_for_block_editor', array( 'new_order' ) ) );
		$this->assertSame( array( 'enabled', 'recipient' ), array_slice( array_keys( $this->email()->get_form_fields() ), 0, 2 ) );
	}

	public function test_each_alert_is_mailed_once_and_at_most_one_mail_is_sent_an_hour(): void {
		$order = $this->order( 'processing', 0 )->get_id();
		$this->alerts()->open_for_order( 'user:12', 'OUTCOME_DUPLICATE_EMAIL', 12, $order );
		$this->assertFalse( $this->due(), 'what closes itself at once is not told' );
		$this->clock->time += 61;
		$this->alerts()->open_for_order( 'user:13', 'OUTCOME_CUSTOMER_NOT_MATCHED', 13, $order + 1 );
		$this->clock->time += 61;
		$this->assertTrue( $this->due() );
		$this->assertCount( 1, $this->mails );
		$this->assertSame( (string) get_option( 'admin_email' ), $this->mails[0]['to'] );
		$this->assertStringContainsString( '2 orders need review – till customer not clear', $this->mails[0]['subject'] );
		$this->assertStringContainsString( "Order #{$order}", $this->mails[0]['message'] );
		$this->assertStringContainsString( wc_get_order( $order )->get_edit_order_url(), html_entity_decode( $this->mails[0]['message'] ) );
		$this->assertStringContainsString( '1 order needs review: its till customer is not clear', $this->mails[0]['message'] );
		$this->assertStringContainsString( 'page=tillsync-queues', $this->mails[0]['message'] );
		$this->alerts()->open_for_order( 'user:12', 'OUTCOME_DUPLICATE_EMAIL', 12, $order + 2 );
		$this->alerts()->open( Alert::REFUSED, 'unknown token.' );
		$this->clock->time += 3000;
		$this->assertFalse( $this->due(), 'the hour is not over' );
		$this->clock->time += 601;
		$this->assertTrue( $this->due() );
		$this->assertCount( 2, $this->mails );
		$this->assertStringContainsString( 'Till sync needs your attention', $this->mails[1]['subject'] );
		$this->assertStringNotContainsString( 'needs review', $this->mails[1]['message'], 'one more order of the same person is no news' );
		$this->assertStringContainsString( 'refuses this shop', $this->mails[1]['message'] );
		$this->clock->time += 4000;
		$this->assertFalse( $this->due() );
		$this->alerts()->close( Alert::REFUSED );
		$this->alerts()->open( Alert::REFUSED, 'again.' );
		$this->clock->time += 100;
		$this->assertTrue( $this->due(), 'an alert that came back is told again' );
	}

	public function test_two_concurrent_processes_send_one_mail(): void {
		$this->alerts()->open( Alert::REFUSED, '' );
		$this->clock->time += 100;
		$other = new Services();
		$other->set( Clock::class, $this->clock );
		$sent  = 0;
		// The other process sends its mail after this process's check and before its mail.
		add_filter(
			'pre_option_tillsync_bridge_mail',
			static function ( $value ) use ( $other, &$sent ) {
				remove_all_filters( 'pre_option_tillsync_bridge_mail' );
				$sent += $other->get( Digest::class )->send_due() ? 1 : 0;
				return 0;
			}
		);
		$sent += $this->due() ? 1 : 0;
		$this->assertSame( 1, $sent );
		$this->assertCount( 1, $this->mails );
	}

	public function test_a_disabled_email_sends_nothing_and_uses_no_hour(): void {
		$this->alerts()->open( Alert::REFUSED, '' );
		$this->clock->time     += 100;
		$this->email()->enabled = 'no';
		$this->assertFalse( $this->due() );
		$this->email()->enabled = 'yes';
		$this->email()->recipient = 'till@example.test, nonsense';
		$this->assertTrue( $this->due() );
		$this->assertSame( 'till@example.test', $this->mails[0]['to'] );
		$this->email()->recipient = (string) get_option( 'admin_email' );
	}

	public function test_a_mail_that_could_not_be_sent_is_sent_later(): void {
		$this->alerts()->open( Alert::REFUSED, '' );
		$this->clock->time += 100;
		$this->mail_works   = false;
		$this->assertFalse( $this->due() );
		$this->mail_works = true;
		$this->assertFalse( $this->due() );
		$this->clock->time += 601;
		$this->assertTrue( $this->due() );
	}

	public function test_all_templates_have_the_same_content_and_escape_it(): void {
		$alert = new Alert( Alert::REFUSED, Alert::REFUSED, '<b onclick=x>said</b> & more', 0, array(), 1 );
		$email = $this->email();
		foreach ( array( 'html', 'plain', 'multipart' ) as $type ) {
			$email->email_type = $type;
			$this->assertTrue( $email->trigger( array( $alert ) ) );
			$message = end( $this->mails )['message'];
			$this->assertStringContainsString( 'connect string', $message, $type );
			$this->assertStringContainsString( 'section=tillsync', $message, $type );
			$this->assertStringNotContainsString( '<b onclick', $message, $type );
		}
		$email->email_type = 'html';
		$this->assertStringContainsString( 'refuses this shop', $email->get_block_editor_email_template_content() );
		$this->assertStringNotContainsString( '<b onclick', $email->get_block_editor_email_template_content() );
		$blocks = wc_get_template_html( 'emails/block/tillsync-attention.php' );
		$this->assertStringContainsString( '##WOO_CONTENT##', $blocks, 'found without a template base too' );
		$this->assertStringContainsString( '<!-- wp:woocommerce/email-content', $blocks );
	}

	public function test_a_copy_or_an_unconnected_shop_sends_nothing(): void {
		$this->alerts()->open( Alert::REFUSED, '' );
		$this->clock->time += 100;
		$this->services->get( ConnectionStore::class )->forget();
		$this->assertFalse( $this->due() );
	}
}
