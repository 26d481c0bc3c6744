<?php
declare( strict_types=1 );

namespace {
	if ( ! class_exists( 'WP_CLI', false ) ) {
		/** The part of WP-CLI that the command uses. It collects lines, and error() throws where the real one exits. */
		final class WP_CLI {
			/** @var string[] */
			public static array $lines = array();
			public static function line( string $text ): void {
				self::$lines[] = $text;
			}
			public static function error( string $text ): void {
				throw new RuntimeException( $text );
			}
		}
	}
}

namespace WP_CLI\Utils {
	if ( ! function_exists( 'WP_CLI\Utils\format_items' ) ) {
		/**
		 * @param array<int, array<string, mixed>> $items
		 * @param string[]                         $fields
		 */
		function format_items( string $format, array $items, array $fields ): void {
			foreach ( $items as $item ) {
				\WP_CLI::line( $format . ' ' . implode( ' | ', array_map( static fn( $field ) => $item[ $field ] ?? '', $fields ) ) );
			}
		}
	}
}

namespace Tillsync\Tests {

	use Tillsync\Bridge\Cli\CommandTools;
	use Tillsync\Bridge\Cli\TillsyncCommand;
	use Tillsync\Bridge\Connection\Connection;
	use Tillsync\Bridge\Connection\ConnectionStore;
	use Tillsync\Bridge\Connection\CopyGuard;
	use Tillsync\Bridge\Orders\Outbox;
	use Tillsync\Bridge\Service\ServiceApi;
	use Tillsync\Bridge\Service\ServiceClient;
	use Tillsync\Bridge\Service\ServiceError;
	use Tillsync\Bridge\Services;

	/** Covers `wp tillsync …`. */
	final class CliCommandTest extends SiteTestCase {

		private Services $services;
		private TillsyncCommand $command;
		/** @var array<string, mixed> Answers by method. */
		public static array $answers = array();

		protected function setUp(): void {
			parent::setUp();
			$this->services = new Services();
			$this->command  = new TillsyncCommand( fn() => $this->services->get( CommandTools::class ) );
			\WP_CLI::$lines = array();
			self::$answers  = array();
			$this->services->set(
				ServiceClient::class,
				new class( $this->services->get( ServiceApi::class ), $this->services->get( CopyGuard::class ) ) extends ServiceClient {
					public function call( string $service, string $method, array $message, int $timeout ): array {
						$answer = CliCommandTest::$answers[ $method ] ?? new ServiceError( ServiceError::TRANSPORT, 0, 'not reached' );
						if ( $answer instanceof ServiceError ) {
							throw $answer;
						}
						return $answer instanceof \Closure ? $answer( $message ) : $answer;
					}
				}
			);
			$this->services->get( ConnectionStore::class )->save( new Connection( 'https://sync.example.test', 'shop-1', 'tls_secret', str_repeat( 's', 43 ), (string) get_option( 'home' ), 'production', 1 ) );
		}

		/** @return mixed */
		private static function json() {
			return json_decode( implode( "\n", \WP_CLI::$lines ), true, 16, JSON_THROW_ON_ERROR );
		}

		public function test_status_is_printed_as_json_and_as_a_table_without_a_secret(): void {
			$this->services->get( Outbox::class )->add( 5 );
			$this->command->status( array(), array( 'format' => 'json' ) );
			$this->assertTrue( self::json()['connected'] );
			$this->assertSame( 1, self::json()['waiting'] );
			$this->command->status( array(), array() );
			$this->assertContains( 'table waiting | 1', \WP_CLI::$lines );
			$this->assertStringNotContainsString( 'tls_secret', implode( '', \WP_CLI::$lines ) );
		}

		public function test_drain_sends_orders_and_prints_what_hinders_it(): void {
			self::$answers['BatchMatchOrderCustomers'] = static fn( array $message ) => array( 'results' => array_map( static fn( array $order ) => array( 'ok' => array( 'entry' => array( 'entryId' => 'e1', 'state' => 'ENTRY_STATE_PROCESSED' ), 'outcome' => 'OUTCOME_MATCHED_EMAIL', 'comment' => 'Matched by email', 'eposCustomerId' => '7' ) ), $message['orders'] ) );
			$order = $this->order();
			$this->services->get( Outbox::class )->request_match( $order->get_id() );
			$this->command->drain( array(), array( 'format' => 'json' ) );
			$this->assertSame( 1, self::json()[0]['sent'] );
			$this->services->get( ConnectionStore::class )->forget();
			$this->expectExceptionMessage( 'not connected' );
			$this->command->drain( array(), array() );
		}

		public function test_match_prints_the_answer_of_one_order(): void {
			self::$answers['BatchMatchOrderCustomers'] = array( 'results' => array( array( 'ok' => array( 'entry' => array( 'entryId' => 'e1', 'state' => 'ENTRY_STATE_PROCESSED' ), 'outcome' => 'OUTCOME_MATCHED_EMAIL', 'comment' => 'Matched by email', 'eposCustomerId' => '7' ) ) ) );
			$order = $this->order();
			$this->command->match( array( (string) $order->get_id() ), array( 'format' => 'json' ) );
			$this->assertSame( array( 'order' => $order->get_id(), 'state' => 'processed', 'till_customer' => '7', 'comment' => 'Matched by email' ), self::json()[0] );
			$this->expectExceptionMessage( 'no such order' );
			$this->command->match( array( '999999' ), array() );
		}

		public function test_queue_tries_a_number_as_order_text_and_till_customer(): void {
			$requests                   = array();
			self::$answers['ListQueue'] = static function ( array $message ) use ( &$requests ): array {
				$requests[] = $message;
				return isset( $message['eposCustomerId'] ) ? array( 'entries' => array( array( 'entryId' => 'e1', 'kind' => 'ENTRY_KIND_ORDER_CUSTOMER', 'state' => 'ENTRY_STATE_HELD', 'outcome' => 'OUTCOME_DUPLICATE_EMAIL', 'comment' => 'verbatim', 'orderNumber' => 'A-7' ) ) ) : array();
			};
			$this->command->queue( array( 'orders' ), array( 'search' => '#77', 'state' => 'held', 'format' => 'json' ) );
			$this->assertSame( array( 'orderId', 'text', 'eposCustomerId' ), array_map( static fn( array $message ) => key( array_diff_key( $message, array_flip( array( 'queue', 'pageSize', 'states' ) ) ) ), $requests ) );
			$this->assertSame( array( 'id' => 'e1', 'subject' => 'Order A-7', 'state' => 'held', 'comment' => 'verbatim', 'attempts' => 0, 'updated' => '' ), self::json()[0] );
			$this->expectExceptionMessage( 'orders or customers' );
			$this->command->queue( array( 'everything' ), array() );
		}

		public function test_test_connection_prints_failed_steps_and_ends_with_an_error(): void {
			self::$answers['CheckAccount'] = array( 'steps' => array( array( 'side' => 'SIDE_TILL', 'text' => 'HTTP 401', 'remedy' => 'Set the key.' ) ) );
			try {
				$this->command->test_connection( array(), array() );
				$this->fail( 'it ended well' );
			} catch ( \RuntimeException $error ) {
				$this->assertContains( 'table till | failed | HTTP 401 | Set the key.', \WP_CLI::$lines );
			}
			unset( self::$answers['CheckAccount'] );
			$this->expectExceptionMessage( 'not reached' );
			$this->command->test_connection( array(), array() );
		}
	}
}
