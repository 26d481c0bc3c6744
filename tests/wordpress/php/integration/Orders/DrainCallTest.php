<?php
declare( strict_types=1 );

namespace {
	if ( ! function_exists( 'fastcgi_finish_request' ) ) {
		/** PHP's command line has no such function. It counts its calls. */
		function fastcgi_finish_request(): bool {
			$GLOBALS['tillsync_ended_responses'] = 1 + (int) ( $GLOBALS['tillsync_ended_responses'] ?? 0 );
			return true;
		}
	}
}

namespace Tillsync\Tests {

	use Tillsync\Bridge\Orders\DrainCall;
	use Tillsync\Bridge\Orders\Outbox;
	use Tillsync\Bridge\Orders\OutboxPause;
	use Tillsync\Bridge\Service\Breaker;
	use Tillsync\Bridge\Service\ServiceApi;
	use Tillsync\Bridge\Service\ServiceError;

	require_once __DIR__ . '/../BridgeTestCase.php';

	final class DrainCallTest extends BridgeTestCase {
		protected function setUp(): void {
			parent::setUp();
			$GLOBALS['tillsync_ended_responses'] = 0;
			$this->service->api                  = '3';
		}

		private function send( string $api = '3' ): void {
			$this->services->get( ServiceApi::class )->store( $api );
			$this->services->get( DrainCall::class )->send();
		}

		public function test_the_service_is_told_when_the_next_order_is_due(): void {
			$this->connect();
			$this->due_order();
			$this->clock->now = $this->row_due() - 12;
			$this->send();
			$this->assertSame( array( array( 'delaySeconds' => 12, 'accountId' => 'corner-shop' ) ), $this->service->messages( 'ScheduleOutboxDrain' ) );
			$this->assertSame( 1, $GLOBALS['tillsync_ended_responses'], 'the shopper has the response first' );
			$this->assertLessThanOrEqual( 3, $this->service->calls[0]['arguments']['timeout'] );
			$this->clock->now += 100;
			$this->send();
			$this->assertSame( 1, $this->service->messages( 'ScheduleOutboxDrain' )[1]['delaySeconds'], 'an order that is overdue' );
		}

		public function test_a_service_that_does_not_answer_is_left_to_cron(): void {
			$this->connect();
			$this->due_order();
			$this->service->script( 'ScheduleOutboxDrain', new \WP_Error( 'http_request_failed', 'timed out' ) );
			$this->send();
			$this->assertCount( 1, $this->service->calls );
			$this->assertSame( 0, $this->services->get( Breaker::class )->failures() );
		}

		public function test_nothing_is_sent_when_nothing_waits(): void {
			$this->connect();
			$order = $this->due_order();
			$this->services->get( Outbox::class )->close_waiting( 'cancelled' );
			$this->send();
			$this->assertSame( array(), $this->service->calls );
			$this->assertSame( 'closed', $this->row( $order->get_id() )->state );
		}

		/** @return array<string, array{0: callable(self): void}> */
		public function obstacles(): array {
			return array(
				'an earlier service'     => array( static fn( self $test ) => $test->services->get( ServiceApi::class )->store( '2' ) ),
				'a copy of the shop'     => array( static fn( self $test ) => $test->connect( 'https://elsewhere.example.test' ) ),
				'a refused token'        => array( static fn( self $test ) => $test->services->get( OutboxPause::class )->pause( new ServiceError( 'unauthenticated', 401, 'no such token' ) ) ),
				'a service that is away' => array( static fn( self $test ) => $test->services->get( Breaker::class )->throttled( new ServiceError( 'resource_exhausted', 429, 'wait', array(), 60 ) ) ),
			);
		}

		/**
		 * @dataProvider obstacles
		 * @param callable(self): void $arrange Makes the obstacle.
		 */
		public function test_the_response_is_not_ended_when_the_service_is_not_called( callable $arrange ): void {
			$this->connect();
			$this->due_order();
			$this->services->get( ServiceApi::class )->store( '3' );
			$arrange( $this );
			$this->services->get( DrainCall::class )->send();
			$this->assertSame( array(), $this->service->calls );
			$this->assertSame( 0, $GLOBALS['tillsync_ended_responses'] );
		}

		private function row_due(): int {
			return (int) $this->services->get( Outbox::class )->next_due();
		}
	}
}
